export { MemoryDataKeys } from "./memory-data-keys.js";
