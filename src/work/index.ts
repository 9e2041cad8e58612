export { deadLetterId } from "./dead-letter-id.js";
export { describeFailure, type Failure } from "./failure.js";
export { MemorySystemStatus, type MemoryWorkOptions, MemoryWorkStore } from "./memory/index.js";
export type {
  ControllerRowReader,
  ControllerRows,
  DeadLetter,
  DeadLetterFilter,
  DeadLetterGroup,
  DeadLetterReader,
  DispatchResult,
  EffectAsker,
  EffectChange,
  EffectReader,
  EffectRow,
  LogPlace,
  LookedUp,
  StandingWork,
  UnattendedRows,
  Watch,
  WorkBacklog,
  WorkClaim,
  WorkEnd,
  WorkFailure,
  WorkKey,
  WorkStore,
} from "./port.js";
export { effectRowType, heldCode } from "./port.js";
export { PostgresWorkStore } from "./postgres/index.js";
export type { ProcessRegister, ProcessReport, SystemStatus, SystemStatusReader } from "./system-status.js";
export { Wakeup } from "./wakeup.js";
