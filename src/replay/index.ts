export { ControllerTarget } from "./controller-target.js";
export {
  type ReplayFilter,
  type ReplaySpec,
  type ReplayTargetName,
  type ReplayWanted,
  replayAggregate,
  replayDefinition,
  replayLimits,
  replaySpecOf,
} from "./definition.js";
export { MemoryReplayProgress } from "./memory/index.js";
export type {
  ReplayGiven,
  ReplayProgress,
  ReplayProgressReader,
  ReplayProgressStore,
  ReplayResults,
  ReplaySlice,
  ReplayTarget,
  ReplayTargets,
} from "./port.js";
export { PostgresReplayProgress } from "./postgres/index.js";
export { replayStart } from "./replay-start.js";
export { ReplayRunner, type ReplayRunnerOptions } from "./runner.js";
export type { ReplayState } from "./turn.js";
