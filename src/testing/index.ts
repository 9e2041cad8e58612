export { type AllowancesUnderTest, allowanceContract } from "./allowance-contract.js";
export type { LoggedEntry } from "./captured-log.js";
export { checkProjection, type GivenEvent } from "./check-projection.js";
export { type DataKeysUnderTest, dataKeyContract } from "./data-key-contract.js";
export {
  appending,
  appendOf,
  createTestSigner,
  creating,
  type DraftParts,
  draftDerived,
  draftEmitted,
  draftIntent,
  draftSystemFact,
  newEventId,
  newTenantId,
  signAppend,
  type TestSigner,
} from "./drafts.js";
export type { FakeCall, WorkerFakes } from "./fake-workers.js";
export { Given, type GivenMore, given } from "./given.js";
export type { AttackClass } from "./hostile/attacks.js";
export { type Breach, type HostileOptions, type HostileReport, hostileTenant } from "./hostile/hostile-tenant.js";
export type { Got, Sent } from "./hostile/http.js";
export { routeRequests } from "./hostile/route-requests.js";
export type { HostileTarget, SceneGrant } from "./hostile/scene.js";
export type { PlantedFault, ProcessFault, WorkerFault } from "./planted-faults.js";
export { ProjectionBench } from "./projection-bench.js";
export { type ProjectionsUnderTest, projectionContract } from "./projection-contract.js";
export { pureCall } from "./pure-call.js";
export { recordedLogOf } from "./recorded-log-of.js";
export { ReplayBench } from "./replay-bench.js";
export { RuntimeBench } from "./runtime-bench.js";
export { type SnapshotsUnderTest, snapshotContract } from "./snapshot-contract.js";
export { storeContract } from "./store-contract.js";
export type { StoreUnderTest } from "./store-contract-fixture.js";
export { createTestApp, type TestReconcile, testCausedBy, testDone } from "./test-app.js";
export { createTestKeys, type TestKeys } from "./test-keys.js";
export { createTestLog, type TestLog } from "./test-log.js";
export { type TestPersonal, testPersonal } from "./test-personal.js";
export { type InTenant, TestPlane, type TestPlaneOptions, testPlane } from "./test-plane.js";
export { type TestTables, testProjection } from "./test-projection.js";
export type { TestRunner } from "./test-runner.js";
export { type TransportUnderTest, transportContract } from "./transport-contract.js";
export { VirtualClock } from "./virtual-clock.js";
export { When } from "./when.js";
export { workContract } from "./work-contract.js";
export type { WorkUnderTest } from "./work-contract-scene.js";
export {
  createWorkerBench,
  firstEffect,
  scriptedRun,
  type TestRun,
  testCustomer,
  testDecision,
} from "./worker-bench.js";
