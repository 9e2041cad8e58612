export { MemoryResourceTable } from "./memory-resource-table.js";
