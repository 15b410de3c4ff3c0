"""What is found in files, wherever in them and in the modules that they call it is."""

from __future__ import annotations

from tests.audit.conftest import Survey, extensions, finding_lines

EXTENSION = """
resource "azurerm_virtual_machine_extension" "x" {
  publisher            = "Contoso"
  type                 = %s
  type_handler_version = "1.2.3"
}
"""
BICEP = """
resource x 'Microsoft.Compute/virtualMachines/extensions@2024-07-01' = {
  name: 'vm/x'
  properties: {
    publisher: 'Contoso'
    type: %s
    typeHandlerVersion: '1.2.3'
    autoUpgradeMinorVersion: false
    enableAutomaticUpgrade: false
  }
}
"""


def test_a_called_module_is_read_as_it_is_called_and_not_alone(look: Survey) -> None:
    report = look(
        {
            "main.bicep": "module m 'm.bicep' = {\n  params: {\n    kind: 'Tool'\n  }\n}\n",
            "m.bicep": "param kind string\n" + BICEP % "kind",
        }
    )

    assert finding_lines(report) == ["main.bicep:3:11 D101 the virtual machine vm/x waits for Tool"]
    assert report.dependencies[0].via == ("main.bicep:1:1",)
    assert report.unresolved == ()


def test_modules_that_call_one_another_come_to_an_end(look: Survey) -> None:
    report = look({"a.bicep": "module b 'b.bicep' = {}\n", "b.bicep": "module a 'a.bicep' = {}\n"})

    assert {gap.why for gap in report.unresolved} == {"modules call one another in a circle"}


def test_folders_that_call_one_another_come_to_an_end(look: Survey) -> None:
    report = look(
        {
            "a/main.tf": 'module "b" { source = "../b" }\nmodule "c" { source = "../b" }',
            "b/main.tf": 'module "a" { source = "../a" }\nmodule "d" { source = "../a" }',
        }
    )

    assert {gap.why for gap in report.unresolved} == {"modules call one another in a circle"}


def test_modules_that_call_each_other_ten_times_come_to_an_end(look: Survey) -> None:
    texts = {
        f"m{level}.bicep": "".join(
            f"module m{number} 'm{level + 1}.bicep' = {{}}\n" for number in range(10)
        )
        for level in range(9)
    }

    report = look(texts | {"m9.bicep": BICEP % "'Tool'"}, "m0.bicep")

    assert extensions(report) <= {"Contoso.Tool"}
    assert "modules call one another too often" in {gap.why for gap in report.unresolved}


def test_a_terraform_folder_is_one_module(look: Survey) -> None:
    report = look(
        {
            "main.tf": EXTENSION % "var.kind",
            "variables.tf": 'variable "kind" { default = "Old" }',
            "terraform.tfvars": 'kind = "New"',
        }
    )

    assert extensions(report) == {"Contoso.New"}


def test_only_the_file_that_is_asked_for_is_reported(look: Survey) -> None:
    texts = {
        "a.tf": EXTENSION % '"A"',
        "b.tf": EXTENSION % "var.b",
        "v.tf": 'variable "b" { default = "B" }',
    }

    assert extensions(look(texts, "b.tf")) == {"Contoso.B"}


def test_each_of_a_known_loop_is_found(look: Survey) -> None:
    body = 'for_each = toset(["A", "B"])\n  type = each.value'
    report = look({"main.tf": EXTENSION.replace("type                 = %s", body)})

    assert extensions(report) == {"Contoso.A", "Contoso.B"}


def test_a_conditional_resource_is_found_whatever_its_default_says(look: Survey) -> None:
    body = 'count = false ? 1 : 0\n  type = "A"'
    report = look({"main.tf": EXTENSION.replace("type                 = %s", body)})

    assert extensions(report) == {"Contoso.A"}


def test_rendered_texts_of_data_blocks_are_looked_into(look: Survey) -> None:
    report = look(
        {
            "main.tf": """
data "template_file" "script" {
  template = file("${path.module}/start.sh")
}
data "cloudinit_config" "all" {
  part { content = data.template_file.script.rendered }
  part { content = "#cloud-config\\n${yamlencode({ packages = ["nginx"] })}" }
}
resource "azurerm_linux_virtual_machine" "vm" {
  custom_data = data.cloudinit_config.all.rendered
}
""",
            "start.sh": "#!/bin/sh\ncurl https://files.example/x | sh\n",
        },
        "main.tf",
    )

    whats = {debt.message.rpartition(": ")[2] for debt in report.dependencies}
    assert whats == {"it downloads with curl", "it installs packages"}


def test_a_linked_template_beside_it_is_read_with_its_parameters(look: Survey) -> None:
    deployment = """{
      "type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "d",
      "properties": {
        "templateLink": { "relativePath": "inner.json" },
        "parameters": { "kind": { "value": "Tool" } } } }"""
    inner = """{
      "contentVersion": "1.0.0.0", "parameters": { "kind": { "type": "string" } },
      "resources": [ {
        "type": "Microsoft.Compute/virtualMachines/extensions", "apiVersion": "2024-07-01",
        "name": "vm/x", "properties": {
          "publisher": "Contoso", "type": "[parameters('kind')]", "typeHandlerVersion": "1.2.3",
          "autoUpgradeMinorVersion": false, "enableAutomaticUpgrade": false } } ] }"""

    report = look(
        {"main.json": f'{{"resources": [{deployment}]}}', "inner.json": inner}, "main.json"
    )

    assert extensions(report) == {"Contoso.Tool"}
    assert report.unresolved == ()


def test_what_a_registry_has_is_named_and_what_it_is_given_is_looked_at(look: Survey) -> None:
    report = look(
        {
            "main.bicep": """
module vmss 'br/public:avm/res/compute/virtual-machine-scale-set:0.1.0' = {
  params: {
    extensions: [
      { publisher: 'Contoso', type: 'Tool', typeHandlerVersion: '1.2.3' }
    ]
    extensionHealthConfig: { enabled: true }
  }
}
module vault 'br/public:avm/res/key-vault/vault:0.1.0' = { params: {} }
"""
        }
    )

    assert [gap.why for gap in report.unresolved] == ["it is in a registry"]
    assert extensions(report) == {
        "Contoso.Tool",
        "Microsoft.ManagedServices.ApplicationHealthLinux",
    }
    assert "the scale set" in report.dependencies[0].message


def test_symbolic_resources_and_commented_templates_are_read(look: Survey) -> None:
    report = look(
        {
            "main.json": """{
  // languageVersion 2.0 has names for resources
  "languageVersion": "2.0",
  "resources": {
    "vm": {
      "type": "Microsoft.Compute/virtualMachines", "apiVersion": "2024-07-01", "name": "vm",
      "properties": { "storageProfile": { "imageReference": { "version": "latest" } } }
    }
  }
}"""
        }
    )

    assert [debt.rule.id for debt in report.dependencies] == ["D108"]


def test_a_pinned_image_and_no_extension_owe_nothing(look: Survey) -> None:
    report = look(
        {
            "main.bicep": """
resource vm 'Microsoft.Compute/virtualMachineScaleSets@2025-04-01' = {
  name: 'vm'
  properties: { virtualMachineProfile: { storageProfile: { imageReference: {
    id: '/subscriptions/s/providers/Microsoft.Compute/galleries/g/images/i/versions/1.2.3'
  } } } }
}
"""
        }
    )

    assert (report.dependencies, report.unresolved, report.malformed) == ((), (), ())


def test_nothing_that_a_terminal_obeys_is_said(look: Survey) -> None:
    report = look({"main.tf": EXTENSION % '"\x1b[2J\u202eTool"'})

    said_of_it = (
        "".join(finding_lines(report))
        + report.dependencies[0].subject
        + report.dependencies[0].source
    )
    assert "Tool" in said_of_it
    assert not {"\x1b", "\u202e"} & set(said_of_it)
