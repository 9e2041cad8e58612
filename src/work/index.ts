export type { DeadLetter, DispatchResult, Watch, WorkClaim, WorkFailure, WorkKey, WorkStore } from "./port.js";
