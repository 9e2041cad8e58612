export { deadLetterId } from "./dead-letter-id.js";
export { type MemoryWorkOptions, MemoryWorkStore } from "./memory/index.js";
export type {
  DeadLetter,
  DeadLetterReader,
  DispatchResult,
  Watch,
  WorkBacklog,
  WorkClaim,
  WorkEnd,
  WorkFailure,
  WorkKey,
  WorkStore,
} from "./port.js";
export { PostgresWorkStore } from "./postgres/index.js";
export { Wakeup } from "./wakeup.js";
