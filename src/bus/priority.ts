/** How urgent events are. */

/** From the most to the least urgent. A busy subscription takes from each, the urgent ones more often. */
export const priorities = ["critical", "high", "normal", "low"] as const;

/** How urgent an event is. */
export type Priority = (typeof priorities)[number];
