/** `eventplane/testing`: what a team tests its application with, and what an adapter of one's own is checked with. */
export {
  type Appender,
  createMemoryStore,
  type LogReader,
  type MemoryStore,
  type MemoryStoreOptions,
  type SignedAppend,
  type SnapshotStore,
  type WorkLease,
} from "../store/index.js";
export { type MemoryWorkOptions, MemoryWorkStore, type WorkClaim, type WorkStore } from "../work/index.js";
export type { LoggedEntry } from "./captured-log.js";
export { checkProjection, type GivenEvent } from "./check-projection.js";
export type { FakeCall, WorkerFakes } from "./fake-workers.js";
export { Given, type GivenMore, given } from "./given.js";
export type { AttackClass } from "./hostile/attacks.js";
export { type Breach, type HostileOptions, type HostileReport, hostileTenant } from "./hostile/hostile-tenant.js";
export type { Got, Sent } from "./hostile/http.js";
export type { HostileTarget, SceneGrant } from "./hostile/scene.js";
export type { PlantedFault, ProcessFault, WorkerFault } from "./planted-faults.js";
export { type ProjectionsUnderTest, projectionContract } from "./projection-contract.js";
export { pureCall } from "./pure-call.js";
export { type SnapshotsUnderTest, snapshotContract } from "./snapshot-contract.js";
export { storeContract } from "./store-contract.js";
export type { StoreUnderTest } from "./store-contract-fixture.js";
export { type InTenant, TestPlane, type TestPlaneOptions, testPlane } from "./test-plane.js";
export type { TestRunner } from "./test-runner.js";
export { VirtualClock } from "./virtual-clock.js";
export { When } from "./when.js";
export { workContract } from "./work-contract.js";
export type { WorkUnderTest } from "./work-contract-scene.js";
