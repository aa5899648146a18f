/** How the command ends. */

/** The exit codes; `docs/operate.md` has them for users. */
export const EXIT = {
  /** It was done. */
  done: 0,
  /** It could not be done, or not all of it: wrong arguments, no such run, a store that is away. */
  failed: 1,
  /** It was done, and the answer is bad: a store or worker that is not well, runs that would diverge. */
  bad: 2,
} as const;

/** Something that the user can mend: its message is all that is printed. */
export class CommandError extends Error {}
