// The life of a gallery, an image template and a scale set, through Azure's clients for JavaScript.
//
// Where Azure Resource Manager is comes from the environment: ARM_URL, ARM_SUBSCRIPTION, ARM_GROUP, ARM_TENANT,
// ARM_CLIENT, ARM_SECRET, and NODE_EXTRA_CA_CERTS. Each step prints one line of JSON: {step, ok, why, seconds}.

import assert from "node:assert/strict";
import { ImageBuilderClient } from "@azure/arm-imagebuilder";
import { ComputeManagementClient } from "@azure/arm-compute";
import { ClientSecretCredential } from "@azure/identity";

const { ARM_URL, ARM_SUBSCRIPTION, ARM_GROUP, ARM_TENANT, ARM_CLIENT, ARM_SECRET } = process.env;
const GROUP = ARM_GROUP;
const REGION = "westeurope";
const WITHIN = `/subscriptions/${ARM_SUBSCRIPTION}/resourceGroups/${GROUP}/providers`;
const IDENTITY = `${WITHIN}/Microsoft.ManagedIdentity/userAssignedIdentities/builder`;
const DEFINITION = `${WITHIN}/Microsoft.Compute/galleries/shelf/images/demo`;
const QUICKLY = { updateIntervalInMs: 20 };

const credential = new ClientSecretCredential(ARM_TENANT, ARM_CLIENT, ARM_SECRET, {
  authorityHost: ARM_URL,
  disableInstanceDiscovery: true,
});
const options = { endpoint: ARM_URL, credentials: { scopes: [`${ARM_URL}/.default`] } };
const { virtualMachineImageTemplates: templates } = new ImageBuilderClient(credential, ARM_SUBSCRIPTION, options);
const compute = new ComputeManagementClient(credential, ARM_SUBSCRIPTION, options);

let failed = 0;

async function step(name, work) {
  const start = performance.now();
  let why = "";
  try {
    await work();
  } catch (error) {
    failed += 1;
    why = `${error.code ?? error.name}: ${error.message}`;
  }
  const seconds = (performance.now() - start) / 1000;
  console.log(JSON.stringify({ step: name, ok: why === "", why, seconds }));
}

async function all(pages) {
  const found = [];
  for await (const one of pages) found.push(one);
  return found;
}

async function refused(work, status, code, said) {
  await assert.rejects(work, (error) => {
    assert.equal(error.statusCode, status);
    assert.equal(error.code, code);
    assert.match(error.message, said);
    return true;
  });
}

const template = {
  location: REGION,
  identity: { type: "UserAssigned", userAssignedIdentities: { [IDENTITY]: {} } },
  source: { type: "PlatformImage", publisher: "Debian", offer: "debian-12", sku: "12-gen2", version: "0.20260914.2237" },
  customize: [{ type: "Shell", name: "greet", inline: ["echo hello"] }],
  distribute: [
    {
      type: "SharedImage",
      runOutputName: "version",
      galleryImageId: DEFINITION,
      artifactTags: { madeBy: "a client" },
      targetRegions: [{ name: REGION, replicaCount: 1 }],
    },
  ],
};

const definition = (sku) => ({
  location: REGION,
  osType: "Linux",
  osState: "Generalized",
  hyperVGeneration: "V2",
  architecture: "x64",
  identifier: { publisher: "imagebake", offer: "clients", sku },
  features: [{ name: "SecurityType", value: "TrustedLaunchSupported" }],
});

const scaleSet = (image) => ({
  location: REGION,
  sku: { name: "Standard_D2s_v5", capacity: 3 },
  upgradePolicy: { mode: "Manual" },
  virtualMachineProfile: {
    storageProfile: { imageReference: { id: image } },
    osProfile: { computerNamePrefix: "web", adminUsername: "azureuser" },
    networkProfile: { networkInterfaceConfigurations: [{ name: "nic" }] },
  },
});

await step("a token, by client and secret", async () => {
  assert.ok((await credential.getToken(`${ARM_URL}/.default`)).token);
});

await step("gallery: create and wait", async () => {
  const made = await compute.galleries.createOrUpdate(GROUP, "shelf", { location: REGION, description: "first" }, QUICKLY);
  assert.equal(made.provisioningState, "Succeeded");
});
await step("gallery: update", async () => {
  const changed = await compute.galleries.update(GROUP, "shelf", { tags: { kept: "yes" }, description: "second" }, QUICKLY);
  assert.deepEqual([changed.tags, changed.description], [{ kept: "yes" }, "second"]);
});
await step("gallery: list of the group and of the subscription", async () => {
  const mine = await all(compute.galleries.listByResourceGroup(GROUP));
  const every = await all(compute.galleries.list());
  assert.ok(mine.length === 1 && every.some((one) => one.name === "shelf"));
});
await step("gallery: a name with a dash is refused", async () => {
  const create = () => compute.galleries.createOrUpdate(GROUP, "with-dash", { location: REGION }, QUICKLY);
  await refused(create, 400, "InvalidParameter", /dashes, are disallowed/);
});

await step("definition: create and wait", async () => {
  const made = await compute.galleryImages.createOrUpdate(GROUP, "shelf", "demo", definition("demo"), QUICKLY);
  assert.deepEqual([made.provisioningState, made.hyperVGeneration], ["Succeeded", "V2"]);
});
await step("definition: sixty of them are listed over pages", async () => {
  const names = Array.from({ length: 60 }, (_, number) => `many${number}`);
  await Promise.all(
    names.map((name) => compute.galleryImages.createOrUpdate(GROUP, "shelf", name, definition(name), QUICKLY)),
  );
  const sizes = [];
  for await (const page of compute.galleryImages.listByGallery(GROUP, "shelf").byPage()) sizes.push(page.length);
  assert.ok(sizes.length > 1);
  assert.equal(sizes.reduce((sum, size) => sum + size, 0), 61);
  await Promise.all(names.map((name) => compute.galleryImages.delete(GROUP, "shelf", name, QUICKLY)));
  assert.equal((await all(compute.galleryImages.listByGallery(GROUP, "shelf"))).length, 1);
});

await step("template: create and wait", async () => {
  const made = await templates.createOrUpdate(GROUP, "one", template, QUICKLY);
  assert.equal(made.provisioningState, "Succeeded");
});
await step("template: an update is refused", async () => {
  const again = () => templates.createOrUpdate(GROUP, "one", template, QUICKLY);
  await refused(again, 409, "Conflict", /Update\/Upgrade of image templates is currently not supported/);
});
await step("template: tags can be patched", async () => {
  const changed = await templates.update(GROUP, "one", { tags: { patched: "yes" } }, QUICKLY);
  assert.deepEqual(changed.tags, { patched: "yes" });
});
await step("template: run and wait", async () => {
  await templates.run(GROUP, "one", QUICKLY);
  const { lastRunStatus } = await templates.get(GROUP, "one");
  assert.equal(lastRunStatus.runState, "Succeeded");
});
await step("template: a run is followed by another poller", async () => {
  const first = templates.run(GROUP, "one", QUICKLY);
  await first.submitted();
  const state = await first.serialize();
  const { restorePoller } = await import("@azure/arm-imagebuilder");
  const client = new ImageBuilderClient(credential, ARM_SUBSCRIPTION, options);
  await restorePoller(client, state, client.virtualMachineImageTemplates.run, QUICKLY).pollUntilDone();
});
await step("template: run outputs", async () => {
  const [output] = await all(templates.listRunOutputs(GROUP, "one"));
  assert.equal(output.name, "version");
  assert.match(output.artifactId, /\/images\/demo\/versions\/\d+\.\d+\.\d+$/);
  assert.equal((await templates.getRunOutput(GROUP, "one", "version")).artifactId, output.artifactId);
});
await step("template: list of the group and of the subscription", async () => {
  assert.equal((await all(templates.listByResourceGroup(GROUP))).length, 1);
  assert.equal((await all(templates.list())).length, 1);
});

let image;
await step("version: what the runs made is listed, with its tags", async () => {
  const found = await all(compute.galleryImageVersions.listByGalleryImage(GROUP, "shelf", "demo"));
  assert.equal(found.length, 2);
  assert.deepEqual(found[0].tags, { madeBy: "a client" });
  image = found[0].id;
});
await step("version: replication is shown region by region", async () => {
  const name = image.split("/").at(-1);
  const shown = await compute.galleryImageVersions.get(GROUP, "shelf", "demo", name, { expand: "ReplicationStatus" });
  assert.equal(shown.replicationStatus.aggregatedState, "Completed");
  assert.equal(shown.publishingProfile.targetRegions.length, 1);
});
await step("version: another region and no longer the latest", async () => {
  const name = image.split("/").at(-1);
  const regions = [REGION, "northeurope"].map((region) => ({ name: region, regionalReplicaCount: 1 }));
  const change = { publishingProfile: { excludeFromLatest: true, targetRegions: regions } };
  const changed = await compute.galleryImageVersions.update(GROUP, "shelf", "demo", name, change, QUICKLY);
  assert.equal(changed.publishingProfile.excludeFromLatest, true);
  assert.equal(changed.publishingProfile.targetRegions.length, 2);
});
await step("version: what is not three numbers is refused", async () => {
  const body = { location: REGION, storageProfile: { source: { id: `${WITHIN}/Microsoft.Compute/images/any` } } };
  const create = () => compute.galleryImageVersions.createOrUpdate(GROUP, "shelf", "demo", "1.0", body, QUICKLY);
  await refused(create, 400, "InvalidParameter", /Major\(int\)\.Minor\(int\)\.Patch\(int\)/);
});

await step("scale set: create and wait", async () => {
  const made = await compute.virtualMachineScaleSets.createOrUpdate(GROUP, "web", scaleSet(image), QUICKLY);
  assert.deepEqual([made.provisioningState, made.sku.capacity], ["Succeeded", 3]);
});
await step("scale set: instances", async () => {
  const found = await all(compute.virtualMachineScaleSetVMs.list(GROUP, "web"));
  assert.deepEqual(found.map((one) => one.latestModelApplied), [true, true, true]);
});
await step("scale set: another image, and instances moved to it by hand", async () => {
  const newer = (await all(compute.galleryImageVersions.listByGalleryImage(GROUP, "shelf", "demo")))[1].id;
  const change = { virtualMachineProfile: { storageProfile: { imageReference: { id: newer } } } };
  await compute.virtualMachineScaleSets.update(GROUP, "web", change, QUICKLY);
  const before = await all(compute.virtualMachineScaleSetVMs.list(GROUP, "web"));
  assert.ok(before.every((one) => !one.latestModelApplied));
  await compute.virtualMachineScaleSets.updateInstances(GROUP, "web", { instanceIds: ["*"] }, QUICKLY);
  const after = await all(compute.virtualMachineScaleSetVMs.list(GROUP, "web"));
  assert.ok(after.every((one) => one.latestModelApplied));
});
await step("scale set: a rolling upgrade", async () => {
  await compute.virtualMachineScaleSetRollingUpgrades.startOSUpgrade(GROUP, "web", QUICKLY);
  const latest = await compute.virtualMachineScaleSetRollingUpgrades.getLatest(GROUP, "web");
  assert.equal(latest.runningStatus.code, "Completed");
});
await step("scale set: scaled in", async () => {
  const changed = await compute.virtualMachineScaleSets.update(GROUP, "web", { sku: { capacity: 1 } }, QUICKLY);
  assert.equal(changed.sku.capacity, 1);
  assert.equal((await all(compute.virtualMachineScaleSetVMs.list(GROUP, "web"))).length, 1);
});
await step("scale set: instance view", async () => {
  const view = await compute.virtualMachineScaleSets.getInstanceView(GROUP, "web");
  assert.ok(view.virtualMachine.statusesSummary.length > 0);
});
await step("scale set: delete, and it is gone", async () => {
  await compute.virtualMachineScaleSets.delete(GROUP, "web", QUICKLY);
  await refused(() => compute.virtualMachineScaleSets.get(GROUP, "web"), 404, "ResourceNotFound", /was not found/);
});

await step("gallery: what is not empty is not deleted", async () => {
  await refused(() => compute.galleries.delete(GROUP, "shelf", QUICKLY), 409, "CannotDeleteResource", /nested resources/);
});
await step("template: delete, and it is gone", async () => {
  await templates.delete(GROUP, "one", QUICKLY);
  await refused(() => templates.get(GROUP, "one"), 404, "ResourceNotFound", /was not found/);
});
await step("gallery: versions, definition and gallery deleted", async () => {
  for (const one of await all(compute.galleryImageVersions.listByGalleryImage(GROUP, "shelf", "demo"))) {
    await compute.galleryImageVersions.delete(GROUP, "shelf", "demo", one.name, QUICKLY);
  }
  await compute.galleryImages.delete(GROUP, "shelf", "demo", QUICKLY);
  await compute.galleries.delete(GROUP, "shelf", QUICKLY);
  assert.equal((await all(compute.galleries.listByResourceGroup(GROUP))).length, 0);
});

process.exitCode = failed ? 1 : 0;
