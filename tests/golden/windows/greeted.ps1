$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
exit 0
