/** The queue that every worker serves, whatever workflows it has: of what the engine itself has left to do for a run. */
export const ENGINE_QUEUE = "$perdure";
