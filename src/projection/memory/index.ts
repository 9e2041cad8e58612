export { MemoryProjectionOverview } from "./memory-projection-overview.js";
export { MemoryProjectionRows } from "./memory-projection-rows.js";
export { MemoryProjectionStore } from "./memory-projection-store.js";
export { MemoryResourceTable } from "./memory-resource-table.js";
