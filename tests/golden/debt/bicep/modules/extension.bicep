param vmName string
param publisher string
param type string
param version string
param automatic bool
param settings object?

resource extension 'Microsoft.Compute/virtualMachines/extensions@2024-07-01' = {
  name: '${vmName}/${type}'
  properties: {
    publisher: publisher
    type: type
    typeHandlerVersion: version
    autoUpgradeMinorVersion: false
    enableAutomaticUpgrade: automatic
    settings: settings
  }
}
