export { MemorySystemStatus } from "./memory-system-status.js";
export { type MemoryWorkOptions, MemoryWorkStore } from "./memory-work-store.js";
