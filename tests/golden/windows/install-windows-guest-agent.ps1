$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
Set-StrictMode -Version 3.0
function Stop-Step([string] $Reason) {
  throw "imagebake: $Reason"
}
$mirror = 'https://store.example/mirror'
$work = Join-Path $env:SystemRoot "Temp\imagebake-$([Guid]::NewGuid().ToString('N'))"
$headers = @{}
function Invoke-Patiently([string] $What, [scriptblock] $Action) {
  for ($try = 1; ; $try++) {
    try {
      return (& $Action)
    } catch {
      if ($try -eq 8) {
        Stop-Step "${What}: $($_.Exception.Message)"
      }
      Start-Sleep -Milliseconds (Get-Random -Minimum 500 -Maximum (1000 * [int] [Math]::Pow(2, $try)))
    }
  }
}
function Get-Token {
  $address = 'http://169.254.169.254/metadata/identity/oauth2/token'
  $request = [Net.WebRequest]::CreateHttp("$($address)?api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com%2F")
  $request.Proxy = $null
  $request.Timeout = 30000
  $request.Headers.Add('Metadata', 'true')
  $response = $request.GetResponse()
  try {
    $reader = [IO.StreamReader]::new($response.GetResponseStream())
    return ($reader.ReadToEnd() | ConvertFrom-Json).access_token
  } finally {
    $response.Dispose()
  }
}
function Use-Mirror {
  if (-not $mirror.StartsWith('https://')) {
    Stop-Step "Windows reads a mirror over https, and this one is $mirror"
  }
  New-Item -ItemType Directory -Path $work | Out-Null
  $token = Invoke-Patiently 'the managed identity of this machine got no token for the mirror' { Get-Token }
  $headers['Authorization'] = "Bearer $token"
  $headers['x-ms-version'] = '2023-11-03'
}
function Get-Artifact([string] $Sha256, [string] $Kind) {
  $target = Join-Path $work "$Sha256.$Kind"
  $address = "$mirror/sha256/$($Sha256.Substring(0, 2))/$Sha256"
  Invoke-Patiently "the mirror does not give $Sha256" {
    Invoke-WebRequest -UseBasicParsing -Uri $address -Headers $headers -OutFile $target -MaximumRedirection 0 -TimeoutSec 600
  } | Out-Null
  if ((Get-FileHash -LiteralPath $target -Algorithm SHA256).Hash -ne $Sha256) {
    Stop-Step "$Sha256 is not what the lock says"
  }
  return $target
}
function Clear-Work {
  if (Test-Path -LiteralPath $work) {
    Remove-Item -LiteralPath $work -Recurse -Force
  }
}
function Install-Msi([string] $File, [string[]] $Properties) {
  $log = Join-Path $work 'install.log'
  $words = @('/i', "`"$File`"", '/qn', '/norestart', '/l*v', "`"$log`"") + $Properties
  $done = Start-Process -FilePath "$env:SystemRoot\System32\msiexec.exe" -ArgumentList $words -Wait -PassThru
  # 3010: it is installed, and the restart that follows the steps completes it.
  if ($done.ExitCode -notin 0, 3010) {
    Get-Content -LiteralPath $log -Tail 40
    Stop-Step "its installer ended with $($done.ExitCode)"
  }
}
function Invoke-Step {
  try {
    Use-Mirror
    $file = Get-Artifact '1111111111111111111111111111111111111111111111111111111111111111' 'msi'
    Install-Msi $file @()
  } finally {
    Clear-Work
  }
}
try {
  Invoke-Step
} catch {
  Write-Output "$($_.Exception.Message)" "$($_.ScriptStackTrace)"
  exit 1
}
exit 0
