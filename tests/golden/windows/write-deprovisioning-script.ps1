$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
Set-StrictMode -Version 3.0
function Stop-Step([string] $Reason) {
  throw "imagebake: $Reason"
}
$script = @'
# Generalises this machine, so that an image of it holds nothing that is this machine's own.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
Set-StrictMode -Version 3.0
function Stop-Step([string] $Reason) {
  throw "imagebake: $Reason"
}
function Wait-Until([string] $What, [int] $Minutes, [scriptblock] $Condition) {
  $deadline = (Get-Date).AddMinutes($Minutes)
  while (-not (& $Condition)) {
    if ((Get-Date) -gt $deadline) {
      Stop-Step "$What has not come within $Minutes minutes"
    }
    Start-Sleep -Seconds 5
  }
}
function Wait-Agent {
  foreach ($name in @('RdAgent', 'WindowsAzureTelemetryService', 'WindowsAzureGuestAgent')) {
    if (Get-Service -Name $name -ErrorAction SilentlyContinue) {
      Wait-Until "the service $name" 15 { (Get-Service -Name $name).Status -eq 'Running' }
    } elseif ($name -ne 'WindowsAzureTelemetryService') {
      Stop-Step "there is no service $name, without which no machine reports ready"
    }
  }
}
function Assert-NoRestartIsPending {
  $current = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion'
  foreach ($name in @('Component Based Servicing\RebootPending', 'WindowsUpdate\Auto Update\RebootRequired')) {
    if (Test-Path -LiteralPath "$current\$name") {
      Stop-Step "a restart is pending, which sysprep does not survive: let a 'restart' customizer come last ($name)"
    }
  }
}
function Remove-Traces {
  foreach ($path in @(
    'C:\Packages\Plugins\*\*\RuntimeSettings\*',
    'C:\Packages\Plugins\*\*\Status\*',
    'C:\ProgramData\imagebake\logs\*',
    'C:\ProgramData\ssh\administrators_authorized_keys',
    'C:\ProgramData\ssh\ssh_host_*',
    'C:\Users\*\.azcopy',
    'C:\Users\*\.azure',
    'C:\Users\*\.ssh\authorized_keys',
    'C:\Users\*\.ssh\known_hosts',
    'C:\Users\*\AppData\Local\CrashDumps\*',
    'C:\Users\*\AppData\Local\Temp\*',
    'C:\Users\*\AppData\Roaming\Microsoft\Windows\PowerShell\PSReadLine\*_history.txt',
    'C:\WindowsAzure\CollectGuestLogsTemp\*',
    'C:\WindowsAzure\Logs\*',
    'C:\Windows\Logs\CBS\*',
    'C:\Windows\Logs\DISM\*',
    'C:\Windows\Panther\Unattend\unattend.xml',
    'C:\Windows\Panther\unattend.xml',
    'C:\Windows\Prefetch\*',
    'C:\Windows\SoftwareDistribution\Download\*',
    'C:\Windows\System32\Sysprep\Panther\*',
    'C:\Windows\System32\Sysprep\unattend.xml',
    'C:\Windows\System32\config\systemprofile\.azcopy',
    'C:\Windows\System32\config\systemprofile\.azure',
    'C:\Windows\System32\config\systemprofile\.ssh\authorized_keys',
    'C:\Windows\System32\config\systemprofile\.ssh\known_hosts',
    'C:\Windows\System32\config\systemprofile\AppData\Local\CrashDumps\*',
    'C:\Windows\System32\config\systemprofile\AppData\Local\Temp\*',
    'C:\Windows\System32\config\systemprofile\AppData\Roaming\Microsoft\Windows\PowerShell\PSReadLine\*_history.txt',
    'C:\Windows\Temp\*',
    'C:\inetpub\logs\*'
  )) {
    # Packer's own scripts run from the temporary folder, this one among them.
    Get-Item -Path $path -Force -ErrorAction SilentlyContinue |
      Where-Object { $_.Name -notlike 'packer-*' -and $_.Name -notlike 'script-*.ps1' } |
      Remove-Item -Recurse -Force -ErrorAction SilentlyContinue
  }
  Get-ChildItem -LiteralPath 'Cert:\LocalMachine\My' |
    Where-Object { $_.Issuer -like '*Windows Azure CRP Certificate Generator*' } |
    Remove-Item
  Get-ChildItem -LiteralPath 'Cert:\LocalMachine\Remote Desktop' -ErrorAction SilentlyContinue | Remove-Item
  Clear-DnsClientCache
}
function Clear-Logs {
  # Some logs cannot be cleared: they are for debugging, and off.
  $ErrorActionPreference = 'SilentlyContinue'
  $wevtutil = Join-Path $env:SystemRoot 'System32\wevtutil.exe'
  foreach ($log in @(& $wevtutil enum-logs)) {
    & $wevtutil clear-log $log 2>$null | Out-Null
  }
}
function Invoke-Sysprep {
  $folder = Join-Path $env:SystemRoot 'System32\Sysprep'
  $state = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\State'
  $sysprep = Start-Process -FilePath "$folder\Sysprep.exe" -ArgumentList '/oobe', '/generalize', '/quiet', '/quit' -PassThru
  try {
    # Without its handle nobody is told how a process has ended.
    $null = $sysprep.Handle
    Wait-Until 'the end of sysprep' 30 {
      $now = (Get-ItemProperty -LiteralPath $state).ImageState
      Write-Host $now
      $resealed = $now -eq 'IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE'
      if ($sysprep.HasExited -and $sysprep.ExitCode -ne 0 -and -not $resealed) {
        Stop-Step "sysprep ended with $($sysprep.ExitCode), in the state $now"
      }
      $resealed
    }
  } catch {
    Get-Content -LiteralPath "$folder\Panther\setuperr.log" -Tail 40 -ErrorAction SilentlyContinue
    throw
  }
}
try {
  Wait-Agent
  Assert-NoRestartIsPending
  Remove-Traces
  Clear-Logs
  Invoke-Sysprep
  Remove-Item -LiteralPath 'c:\DeprovisioningScript.ps1' -Force -ErrorAction SilentlyContinue
} catch {
  Write-Output "$($_.Exception.Message)" "$($_.ScriptStackTrace)"
  exit 1
}
exit 0
'@
function Invoke-Step {
  [IO.File]::WriteAllText('c:\DeprovisioningScript.ps1', "$script`n", [Text.UTF8Encoding]::new($false))
}
try {
  Invoke-Step
} catch {
  Write-Output "$($_.Exception.Message)" "$($_.ScriptStackTrace)"
  exit 1
}
exit 0
