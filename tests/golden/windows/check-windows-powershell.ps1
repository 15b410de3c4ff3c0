$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
Set-StrictMode -Version 3.0
function Stop-Step([string] $Reason) {
  throw "imagebake: $Reason"
}
function Assert-Version([string] $Wanted, [string] $Said) {
  $found = @([regex]::Matches($Said, '[0-9]+(\.[0-9]+){1,3}') | ForEach-Object { $_.Value })
  $fitting = @($found | Where-Object { $_ -eq $Wanted })
  if ($fitting.Count -eq 0) {
    Stop-Step "the version is not ${Wanted}: $Said"
  }
}
function Assert-Variable([string] $Name, [string] $Value) {
  if ([Environment]::GetEnvironmentVariable($Name, 'Machine') -cne $Value) {
    Stop-Step "the variable $Name is not $Value"
  }
}
function Invoke-Step {
  Assert-Version '7.6.4' "$(& 'C:\Program Files\PowerShell\7\pwsh.exe' --version)"
  Assert-Variable 'POWERSHELL_UPDATECHECK' 'Off'
}
try {
  Invoke-Step
} catch {
  Write-Output "$($_.Exception.Message)" "$($_.ScriptStackTrace)"
  exit 1
}
exit 0
