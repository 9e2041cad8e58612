export { type ScannedJson, type ScanOptions, scanJson, scanLargeJson, turnBytes } from "./scan-json.js";
