export { type DemoOptions, runDemo } from "./run-demo.js";
export type { Send } from "./publisher.js";
