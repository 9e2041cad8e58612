/** Abort signals whose listeners belong to somebody else. */

/** Calls a function of the user's. */
export type Guard = (call: () => unknown) => void;

type Listener = (event: Event) => unknown;

/**
 * Makes the listeners of a signal go through `guard`. Node.js gives what a listener throws, or the promise that it returns rejects with, to the process, which
 * ends of it: the abort itself has nothing to catch. So the signal's own ways to add a listener wrap what they are given. Listeners of signals that
 * were derived from it (`AbortSignal.any`) are not reached.
 *
 * @returns the signal
 */
export function guardListeners(signal: AbortSignal, guard: Guard): AbortSignal {
  const wraps = new WeakMap<object, Listener>();
  const wrapOf = <Given>(given: Given): Given => {
    if ((typeof given !== "object" && typeof given !== "function") || given === null) return given;
    const known = wraps.get(given);
    if (known !== undefined) return known as Given; // a listener for a listener
    const wrap: Listener = (event) => guard(() => callListener(signal, given, event));
    wraps.set(given, wrap);
    return wrap as Given; // as above
  };
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  // The property has a place of its own among the listeners, taken when it is first set.
  let onabort: AbortSignal["onabort"] | undefined;
  const callOwn = (event: Event): void => {
    const listener = onabort ?? undefined;
    if (listener !== undefined) guard(() => callListener(signal, listener, event));
  };
  const own = {
    addEventListener: {
      value: (type: "abort", listener: Listener, ...rest: []) => add(type, wrapOf(listener), ...rest),
    },
    removeEventListener: {
      value: (type: "abort", listener: Listener, ...rest: []) => remove(type, wrapOf(listener), ...rest),
    },
    onabort: {
      get: () => onabort ?? null,
      set: (listener: AbortSignal["onabort"]) => {
        if (onabort === undefined) add("abort", callOwn);
        onabort = typeof listener === "function" ? listener : null;
      },
    },
  };
  return Object.defineProperties(signal, own);
}

function callListener(signal: AbortSignal, listener: object, event: Event): unknown {
  if (typeof listener === "function") return listener.call(signal, event) as unknown;
  return (listener as { readonly handleEvent: Listener }).handleEvent(event);
}
