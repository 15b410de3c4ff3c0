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
function Invoke-Step {
  Assert-Version '10.32.7' "$(& 'C:\Program Files\AzCopy\azcopy.exe' --version)"
}
try {
  Invoke-Step
} catch {
  Write-Output "$($_.Exception.Message)" "$($_.ScriptStackTrace)"
  exit 1
}
exit 0
