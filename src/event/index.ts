export type { AppendItem, ExpectedVersion, LifecycleEffect } from "./append-item.js";
export type {
  AggregateDefinition,
  AppDefinition,
  ControllerDefinition,
  Decision,
  IntentDefinition,
  IntentEffect,
  ReconcileContext,
} from "./definitions.js";
export { chainHash, contentHash, eventDigest, genesisHash } from "./digest.js";
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
export { leafHash, merkleTree, rootFromPath } from "./merkle.js";
export { commitMessage, decodeProof, encodeProof, provenMessage, signDigests } from "./proof.js";
export type { Condition, Phase, Resource, ResourceOrigin } from "./resource.js";
