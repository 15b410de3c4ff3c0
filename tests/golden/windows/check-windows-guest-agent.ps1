$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
Set-StrictMode -Version 3.0
function Stop-Step([string] $Reason) {
  throw "imagebake: $Reason"
}
function Assert-Version([string] $Wanted, [string] $Said) {
  $found = @([regex]::Matches($Said, '[0-9]+(\.[0-9]+){1,3}') | ForEach-Object { $_.Value })
  # Azure may have moved it on, once this machine ran.
  $fitting = @($found | Where-Object { [version] $_ -ge [version] $Wanted })
  if ($fitting.Count -eq 0) {
    Stop-Step "the version is not ${Wanted}: $Said"
  }
}
function Assert-Starts([string] $Name) {
  $service = Get-Service -Name $Name
  if ($service.StartType -ne 'Automatic') {
    Stop-Step "$Name does not start by itself, it is $($service.StartType)"
  }
}
function Invoke-Step {
  Assert-Version '2.7.41491.1193' "$(Get-Item 'C:\WindowsAzure\Packages\WindowsAzureGuestAgent.exe', 'C:\WindowsAzure\GuestAgent_*\WindowsAzureGuestAgent.exe' -ErrorAction SilentlyContinue | ForEach-Object { $_.VersionInfo.ProductVersion })"
  Assert-Starts 'RdAgent'
  Assert-Starts 'WindowsAzureGuestAgent'
}
try {
  Invoke-Step
} catch {
  Write-Output "$($_.Exception.Message)" "$($_.ScriptStackTrace)"
  exit 1
}
exit 0
