export { type ScannedJson, type ScanOptions, scanJson, scanLargeJson } from "./scan-json.js";
