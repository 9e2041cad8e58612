export {
  appending,
  appendOf,
  createTestSigner,
  creating,
  type DraftParts,
  draftDerived,
  draftIntent,
  draftSystemFact,
  newEventId,
  newTenantId,
  signAppend,
  type TestSigner,
} from "./drafts.js";
export { storeContract, type TestRunner } from "./store-contract.js";
export type { StoreUnderTest } from "./store-contract-fixture.js";
