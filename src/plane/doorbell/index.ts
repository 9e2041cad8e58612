export { createDoorbell, type DoorbellOptions } from "./bus-doorbell.js";
