export { Coalescer, type CoalescerCallReport, type CoalescerOptions } from "./coalescer.js";
export { createMemorySnapshots } from "./memory/memory-snapshots.js";
export { createMemoryStore, type MemoryStore, type MemoryStoreOptions } from "./memory/memory-store.js";
export { firstPageLimit, nextPageLimit } from "./page-limit.js";
export type {
  Append,
  Appender,
  AppendItem,
  AppendOutcome,
  ExpectedVersion,
  Head,
  LifecycleEffect,
  LogReader,
  ReadFilter,
  ReadQuery,
  Receipt,
  RefusalCode,
  SignedAppend,
  WorkLease,
} from "./port.js";
export { receiptOf } from "./receipt.js";
export { ResourceLoader, type ResourceLoaderOptions, type StreamName } from "./resource-loader.js";
export { SnapshotBook, type SnapshotBookOptions, type SnapshotNews, type SnapshotResult } from "./snapshot-book.js";
export type { SnapshotReader, SnapshotStore } from "./snapshot-port.js";
export { subscribe } from "./subscribe.js";
export type { SubscribeOptions, SubscriptionItem } from "./subscription.js";
export { createLogHub, type LogHub, type LogHubOptions } from "./subscription-hub.js";
