export { type CallerIdentity, EmbeddedCaller, type EmbeddedPublishOptions } from "../embedded-caller.js";
