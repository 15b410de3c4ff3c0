resource template 'Microsoft.VirtualMachineImages/imageTemplates@2024-02-01' = {
  name: 'web'
  location: 'westeurope'
  properties: {
    source: {
      type: 'PlatformImage'
      publisher: 'Canonical'
      offer: '0001-com-ubuntu-server-jammy'
      sku: '22_04-lts-gen2'
      version: 'latest'
    }
    distribute: []
  }
}
