/** The compiler as a module of Nitro, version 2 and 3. */
import { excludedBy, markedDependencies } from "./installed.ts";
import { projectRoot } from "./project.ts";
import perdure from "./rollup.ts";

/** What is used of Nitro. Its types must hold where Nitro is not installed. */
interface Nitro {
  readonly options: {
    readonly rootDir: string;
    /** Version 2: packages that are built in whatever else is said. */
    readonly externals?: { inline?: unknown[] };
    /** Version 3: the same, or whether all are. */
    noExternals?: boolean | unknown[];
  };
  readonly hooks: {
    hook(name: "rollup:before", hook: (nitro: unknown, config: { plugins?: unknown }) => void): unknown;
  };
}

/** A Nitro module. */
export interface NitroModule {
  readonly name: string;
  setup(nitro: Nitro): void;
}

/**
 * Compiles directives in a Nitro server, installed packages that ship marked functions included.
 *
 * @example
 * // nitro.config.ts
 * export default { modules: ["perdure/nitro"] };
 */
const nitroModule: NitroModule = {
  name: "perdure",
  setup({ options, hooks }) {
    const root = projectRoot(options.rootDir);
    const marked = markedDependencies(root, excludedBy(root));
    if (options.externals !== undefined) {
      options.externals.inline = [...(options.externals.inline ?? []), ...marked];
    }
    if (options.noExternals !== true) options.noExternals = [...(options.noExternals || []), ...marked];
    hooks.hook("rollup:before", (_, config) => {
      // Before all others: directives and positions must be the user's.
      config.plugins = [perdure({ root }), config.plugins];
    });
  },
};

export default nitroModule;
