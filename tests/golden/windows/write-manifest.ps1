$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
Set-StrictMode -Version 3.0
function Stop-Step([string] $Reason) {
  throw "imagebake: $Reason"
}
$manifest = @'
{
  "extensions": [],
  "files": [
    {
      "mode": "0644",
      "path": "C:\\Tools\\it is\\tool.exe",
      "sha256": "5555555555555555555555555555555555555555555555555555555555555555"
    }
  ],
  "image": "demo",
  "installers": [
    {
      "name": "windows-guest-agent",
      "sha256": "1111111111111111111111111111111111111111111111111111111111111111",
      "version": "2.7.41491.1193"
    },
    {
      "name": "windows-powershell",
      "sha256": "2222222222222222222222222222222222222222222222222222222222222222",
      "version": "7.6.4"
    },
    {
      "name": "windows-azcopy",
      "sha256": "3333333333333333333333333333333333333333333333333333333333333333",
      "version": "10.32.7"
    },
    {
      "name": "Pester",
      "sha256": "4444444444444444444444444444444444444444444444444444444444444444",
      "version": "5.7.1"
    }
  ],
  "lock_sha256": "cf84ff54c0419974fb26cc6c3dbe1507e66530f205c9648c1a3987b66c767fb3",
  "packages": [],
  "pins": [
    {
      "kind": "agent",
      "name": "windows-guest-agent",
      "version": "2.7.41491.1193"
    },
    {
      "kind": "agent",
      "name": "windows-powershell",
      "version": "7.6.4"
    },
    {
      "kind": "agent",
      "name": "windows-azcopy",
      "version": "10.32.7"
    },
    {
      "kind": "file",
      "name": "tool.exe",
      "version": "1.2"
    },
    {
      "kind": "module",
      "name": "Pester",
      "version": "5.7.1"
    }
  ],
  "source": "Debian:debian-12:12-gen2:0.20260914.2237"
}
'@
function Invoke-Step {
  [IO.Directory]::CreateDirectory('C:\ProgramData\imagebake') | Out-Null
  $text = $manifest.Replace("`r", '') + "`n"
  [IO.File]::WriteAllText((Join-Path 'C:\ProgramData\imagebake' 'manifest.json'), $text, [Text.UTF8Encoding]::new($false))
}
try {
  Invoke-Step
} catch {
  Write-Output "$($_.Exception.Message)" "$($_.ScriptStackTrace)"
  exit 1
}
exit 0
