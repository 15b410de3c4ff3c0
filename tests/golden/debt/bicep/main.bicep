targetScope = 'resourceGroup'

@description('The system of the machine.')
@allowed(['Linux', 'Windows'])
param osType string
param location string = resourceGroup().location
param monitoring object = {
  enabled: true
}
param extraExtensions array = [
  { publisher: 'Microsoft.Azure.Extensions', type: 'CustomScript', version: '2.1.10.0' }
  { publisher: 'Contoso.Tools', type: 'Inventory', version: '1.0' }
]
param unknownExtensions array

var names = ['a', 'b']

resource vm 'Microsoft.Compute/virtualMachines@2024-07-01' = [for name in names: {
  name: 'vm-${name}'
  location: location
  properties: {
    storageProfile: {
      imageReference: { publisher: 'Debian', offer: 'debian-12', sku: '12-gen2', version: 'latest' }
    }
    osProfile: {
      customData: loadFileAsBase64('start.yaml')
    }
  }

  resource health 'extensions' = {
    name: 'health'
    properties: {
      publisher: 'Microsoft.ManagedServices'
      type: 'ApplicationHealthLinux'
      typeHandlerVersion: '2.0.29'
      autoUpgradeMinorVersion: false
      enableAutomaticUpgrade: false
    }
  }
}]

resource existing 'Microsoft.Compute/virtualMachines@2024-07-01' existing = {
  name: 'theirs'
}

module monitor 'modules/extension.bicep' = if (monitoring.enabled) {
  name: 'monitor'
  params: {
    vmName: vm[0].name
    publisher: 'Microsoft.Azure.Monitor'
    type: osType == 'Windows' ? 'AzureMonitorWindowsAgent' : 'AzureMonitorLinuxAgent'
    version: monitoring.?version ?? (osType == 'Windows' ? '1.22' : '1.29')
    automatic: monitoring.?automatic ?? true
  }
}

module extras 'modules/extension.bicep' = [for extra in extraExtensions: {
  name: 'extra-${extra.type}'
  params: {
    vmName: 'theirs'
    publisher: extra.publisher
    type: extra.type
    version: extra.version
    automatic: false
  }
}]

module unknowns 'modules/extension.bicep' = [for one in unknownExtensions: {
  name: 'unknown-${one.type}'
  params: {
    vmName: 'theirs'
    publisher: one.publisher
    type: one.type
    version: one.version
    automatic: false
  }
}]

module remote 'br/public:avm/res/compute/virtual-machine:0.20.0' = {
  name: 'remote'
  params: {
    name: 'remote'
    extensionMonitoringAgentConfig: { enabled: true }
    extensionDSCConfig: { enabled: false }
  }
}

module storage 'br/public:avm/res/storage/storage-account:0.25.0' = {
  name: 'storage'
}

module lost 'modules/lost.bicep' = {
  name: 'lost'
}
