export type { AppendItem, ExpectedVersion, LifecycleEffect } from "./append-item.js";
export { cloudEventJson, dataSchemaOf } from "./cloudevents.js";
export { eventJson, eventLine, type ProofDocument, proofJson, toEvent } from "./codec.js";
export {
  type CompatibilityMode,
  compatibilityDefault,
  compatibilityModes,
  isCompatibilityMode,
} from "./compatibility-modes.js";
export { checkDecisions, decisionInvalid, replayerComponent, reservedControllerNames } from "./decision-check.js";
export type {
  AggregateDefinition,
  AnyWorker,
  AppDefinition,
  ControllerDefinition,
  Decision,
  EffectOutcome,
  EffectRequests,
  Emit,
  IntentDefinition,
  IntentEffect,
  LookupRequests,
  ReconcileContext,
  TypedAggregate,
  TypedWorker,
  Upcaster,
  VisibleResource,
  WorkerCall,
  WorkerDefinition,
} from "./definitions.js";
export {
  type DerivedIdParts,
  deadLetterComponent,
  derivedEventId,
  isSpecBearing,
  reservedTails,
  retiredOfComponent,
  runtimeComponent,
  seededRandom,
  typeTail,
} from "./derived.js";
export { chainHash, contentHash, eventDigest, genesisHash } from "./digest.js";
export {
  canonicalJson,
  type EffectResult,
  effectComponent,
  effectKey,
  effectResultId,
  effectRoleOf,
  readAsk,
  workerOfComponent,
} from "./effects.js";
export { emitComponent, emittedEventId, emitterOfComponent } from "./emits.js";
export { isAggregateId, isAggregateType, isEventType } from "./envelope.js";
export type {
  CausedBy,
  DecisionStamp,
  DraftEvent,
  Event,
  EventKind,
  EventRow,
  Finalizer,
  Finalizers,
  Lifecycle,
  Proof,
  StoredFields,
} from "./event.js";
export {
  EventFactory,
  type IntentRequest,
  type SystemFactRequest,
  type SystemFactType,
  type TenantTypes,
} from "./factory.js";
export { allComplete, emptyFold, type FoldableRow, foldEvent } from "./fold.js";
export type { IntakeDefinition } from "./intakes.js";
export {
  introduceKey,
  introductionMessage,
  introductionSpec,
  type KeyIntroduction,
} from "./introduction.js";
export { jsonEqual } from "./json-equal.js";
export { jsonProblem } from "./json-safe.js";
export { KeyDirectory, type TrustedKey } from "./key-directory.js";
export { deepFreeze, isJsonObject, mergeObject } from "./merge-patch.js";
export { leafHash, merklePath, merkleRoot } from "./merkle.js";
export { type Decided, type DecideInput, type EffectAsk, type EffectNews, mutate } from "./mutate.js";
export type {
  AnyProjection,
  CounterHandle,
  DocumentsHandle,
  GroupsHandle,
  LatestHandle,
  ProjectionApply,
  ProjectionDefinition,
  ProjectionEvent,
  ProjectionHandle,
  ProjectionTable,
} from "./projections.js";
export {
  commitMessage,
  keptCommitProof,
  proofBack,
  proofWithPath,
  provenMessage,
  signCommit,
  storedProof,
} from "./proof.js";
export { type ProvenEvent, provenEventLines, provenEventWriter, rowsOfProvenEvents } from "./proven-event.js";
export type { Condition, EffectFailure, EffectState, Effects, Phase, Resource, ResourceOrigin } from "./resource.js";
export { scopePattern, scopesMax } from "./scope-text.js";
export {
  createEd25519Signer,
  generateSigningKey,
  publicKeyOf,
  type SigningKey,
  signingKeyId,
} from "./signing.js";
export {
  foldDigest,
  openSnapshot,
  type Snapshot,
  type SnapshotFault,
  takeSnapshot,
} from "./snapshot.js";
export type {
  Delivery,
  DeliveryVerifier,
  SignedDelivery,
  SourceDefinition,
  SourceFact,
  SourceTenant,
  VerificationMeans,
} from "./sources.js";
export { parseStored } from "./stored-json.js";
export { type TokenAlgorithm, type TokenGrant, type TokenIssuer, tokenAlgorithms } from "./token-issuers.js";
export { type Lift, type LiftableEvent, liftOf, liftSpec } from "./upcast.js";
export { type ChainLink, createVerifier, type Verifier, verifyLink } from "./verifier.js";
