$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
Set-StrictMode -Version 3.0
function Stop-Step([string] $Reason) {
  throw "imagebake: $Reason"
}
function Assert-Content([string] $Sha256, [string] $Path) {
  if ((Get-FileHash -LiteralPath $Path -Algorithm SHA256).Hash -ne $Sha256) {
    Stop-Step "$Path has changed"
  }
}
function Assert-Disabled([string] $Name) {
  $service = Get-Service -Name $Name -ErrorAction SilentlyContinue
  if ($service -and $service.StartType -ne 'Disabled') {
    Stop-Step "$Name would start, and download"
  }
}
function Assert-TasksDisabled([string] $Name) {
  foreach ($task in @(Get-ScheduledTask -TaskName $Name -ErrorAction SilentlyContinue)) {
    if ($task.State -ne 'Disabled') {
      Stop-Step "the task $($task.TaskName) would run, and download"
    }
  }
}
function Assert-NotOnboarded {
  $key = 'HKLM:\SOFTWARE\Microsoft\Windows Advanced Threat Protection\Status'
  $state = Get-ItemProperty -LiteralPath $key -Name 'OnboardingState' -ErrorAction SilentlyContinue
  if ($state -and $state.OnboardingState -eq 1) {
    Stop-Step 'the image is onboarded to Defender for Endpoint: every machine of it would be one and the same'
  }
}
function Assert-Number([string] $Key, [string] $Name, [int] $Value) {
  if ((Get-ItemProperty -LiteralPath $Key).$Name -ne $Value) {
    Stop-Step "$Name of $Key is not $Value"
  }
}
function Invoke-Step {
  Assert-Content 'f0c3f0de47451cc613617bc6a02658dbe15f045ac9d6048376c800597cb87b8d' 'C:\ProgramData\imagebake\manifest.json'
  Assert-Content '5555555555555555555555555555555555555555555555555555555555555555' 'C:\Tools\it is\tool.exe'
  Assert-Number 'HKLM:\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate\AU' 'NoAutoUpdate' 1
  Assert-Number 'HKLM:\SOFTWARE\Policies\Microsoft\WindowsStore' 'AutoDownload' 2
  Assert-Number 'HKLM:\SOFTWARE\Policies\Microsoft\EdgeUpdate' 'UpdateDefault' 0
  Assert-Number 'HKLM:\SOFTWARE\Policies\Microsoft\Windows\CloudContent' 'DisableWindowsConsumerFeatures' 1
  Assert-Disabled 'edgeupdate'
  Assert-Disabled 'edgeupdatem'
  Assert-TasksDisabled 'MicrosoftEdgeUpdateTask*'
  Assert-NotOnboarded
}
try {
  Invoke-Step
} catch {
  Write-Output "$($_.Exception.Message)" "$($_.ScriptStackTrace)"
  exit 1
}
exit 0
