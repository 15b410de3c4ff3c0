$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
Set-StrictMode -Version 3.0
function Stop-Step([string] $Reason) {
  throw "imagebake: $Reason"
}
function Set-Number([string] $Key, [string] $Name, [int] $Value) {
  if (-not (Test-Path -LiteralPath $Key)) {
    New-Item -Path $Key -Force | Out-Null
  }
  New-ItemProperty -LiteralPath $Key -Name $Name -PropertyType DWord -Value $Value -Force | Out-Null
}
function Disable-IfThere([string] $Name) {
  if (Get-Service -Name $Name -ErrorAction SilentlyContinue) {
    Stop-Service -Name $Name -Force -ErrorAction SilentlyContinue
    Set-Service -Name $Name -StartupType Disabled
  }
}
function Disable-Tasks([string] $Name) {
  Get-ScheduledTask -TaskName $Name -ErrorAction SilentlyContinue | Disable-ScheduledTask | Out-Null
}
function Invoke-Step {
  Set-Number 'HKLM:\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate\AU' 'NoAutoUpdate' 1
  Set-Number 'HKLM:\SOFTWARE\Policies\Microsoft\WindowsStore' 'AutoDownload' 2
  Set-Number 'HKLM:\SOFTWARE\Policies\Microsoft\EdgeUpdate' 'UpdateDefault' 0
  Set-Number 'HKLM:\SOFTWARE\Policies\Microsoft\Windows\CloudContent' 'DisableWindowsConsumerFeatures' 1
  Disable-IfThere 'edgeupdate'
  Disable-IfThere 'edgeupdatem'
  Disable-Tasks 'MicrosoftEdgeUpdateTask*'
}
try {
  Invoke-Step
} catch {
  Write-Output "$($_.Exception.Message)" "$($_.ScriptStackTrace)"
  exit 1
}
exit 0
