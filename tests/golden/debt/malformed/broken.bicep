param name string = 'never closed
var wrong = [1, 2

resource found 'Microsoft.Compute/virtualMachines/extensions@2024-07-01' = {
  name: 'web/found'
  properties: {
    publisher: 'Contoso.Tools'
    type: 'Inventory'
    typeHandlerVersion: '1.2.3'
    autoUpgradeMinorVersion: false
    enableAutomaticUpgrade: false
  }
}

resource 'no symbol' = {
}
