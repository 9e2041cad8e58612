export { type MemoryWorkOptions, MemoryWorkStore } from "./memory-work-store.js";
