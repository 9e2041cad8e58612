export type { Send } from "./publisher.js";
export { type DemoOptions, runDemo } from "./run-demo.js";
