export { MemoryReplayProgress } from "./memory-progress.js";
