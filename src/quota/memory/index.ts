export { MemoryAllowances } from "./memory-allowances.js";
