export { MemoryProjectionStore } from "./memory-projection-store.js";
export { MemoryResourceTable } from "./memory-resource-table.js";
