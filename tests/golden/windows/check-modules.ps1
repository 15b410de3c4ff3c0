$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
Set-StrictMode -Version 3.0
function Stop-Step([string] $Reason) {
  throw "imagebake: $Reason"
}
function Assert-Module([string] $Name, [string] $Version) {
  foreach ($parent in $parents) {
    $manifest = Join-Path $parent "$Name\$Version\$Name.psd1"
    $found = (Import-PowerShellDataFile -LiteralPath $manifest).ModuleVersion
    if ($found -ne $Version) {
      Stop-Step "$manifest is of $found"
    }
  }
}
function Invoke-Step {
  $parents = @('C:\Program Files\WindowsPowerShell\Modules', 'C:\Program Files\PowerShell\Modules')
  Assert-Module 'Pester' '5.7.1'
}
try {
  Invoke-Step
} catch {
  Write-Output "$($_.Exception.Message)" "$($_.ScriptStackTrace)"
  exit 1
}
exit 0
