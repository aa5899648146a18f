/** The compiler in Next.js: a loader of its webpack and of its Turbopack, and which packages its builds take in. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { excludedBy, markedDependencies, ownDependencies } from "./installed.ts";
import type { PluginOptions } from "./plugin.ts";
import { projectRoot } from "./project.ts";

export type { PluginOptions };

/** What is read and changed of Next's configuration. Its types must hold where Next is not installed. */
interface NextConfig {
  readonly serverExternalPackages?: readonly string[];
  readonly transpilePackages?: readonly string[];
  readonly turbopack?: { readonly rules?: Readonly<Record<string, unknown>> };
  readonly webpack?: ((config: WebpackConfig, context: WebpackContext) => unknown) | null;
}

interface WebpackConfig {
  readonly module: { readonly rules: unknown[] };
}

interface WebpackContext {
  /** Not there in the build for the browser. */
  readonly nextRuntime?: "nodejs" | "edge";
}

/**
 * Compiles directives in Next.js 15.3 and later, whichever bundler builds: in the code that runs on Node, installed packages that ship
 * marked functions included. Perdure's own packages stay outside of the bundles, so that a process has each once; only the Turbopack of
 * Next 15 builds them in.
 *
 * @param nextConfig the configuration, or a function that Next calls for it
 * @example
 * import { withPerdure } from "@perdure/compiler/next";
 *
 * export default withPerdure({ output: "standalone" });
 */
export function withPerdure<C extends object>(nextConfig: C = {} as C, options: PluginOptions = {}): C {
  if (typeof nextConfig === "function") {
    const configure = nextConfig as unknown as (...args: unknown[]) => C | Promise<C>;
    return (async (...args: unknown[]) => withPerdure(await configure(...args), options)) as unknown as C;
  }
  return { ...nextConfig, ...additions(nextConfig, options) };
}

function additions(config: NextConfig, options: PluginOptions): NextConfig {
  const { root = projectRoot(process.cwd()), runtime, exclude } = options;
  const use = {
    loader: fileURLToPath(new URL("./loader.js", import.meta.url)),
    // Plain data, without holes: Turbopack passes it on as JSON.
    options: {
      root,
      // The instrumentation, pages and routes are bundles of their own.
      copies: true,
      ...(runtime !== undefined && { runtime }),
      ...(exclude !== undefined && { exclude }),
    },
  };
  const marked = markedDependencies(root, exclude ?? excludedBy(root));
  const { serverExternalPackages: external = [], transpilePackages: transpiled = [] } = config;
  for (const name of external.filter((each) => marked.includes(each))) {
    console.warn(
      `perdure: ${name} ships functions marked "use step" or "use workflow", so it is built in although serverExternalPackages ` +
        `lists it. Take it out of there, or list it in \`perdure.exclude\` of package.json if its steps shall be plain calls.`,
    );
  }
  return {
    serverExternalPackages: unique([
      ...external.filter((name) => !marked.includes(name)),
      ...(awaitsActions(root) ? ownDependencies(root) : []),
    ]),
    transpilePackages: unique([...transpiled, ...marked]),
    turbopack: { ...config.turbopack, rules: turbopackRules(config.turbopack?.rules ?? {}, use, root) },
    webpack(webpackConfig, context) {
      if (context.nextRuntime === "nodejs") {
        // Before Next's own loaders: directives and positions must be the user's.
        webpackConfig.module.rules.push({ test: /\.[cm]?[jt]sx?$/, enforce: "pre", use });
      }
      return config.webpack?.(webpackConfig, context) ?? webpackConfig;
    },
  };
}

const extensions = ["js", "jsx", "mjs", "ts", "tsx", "mts"];

/** The rules of Turbopack with ours, for each extension behind those that the user has for it. */
function turbopackRules(
  own: Readonly<Record<string, unknown>>,
  use: object,
  root: string,
): Record<string, unknown> {
  const rule =
    nextMajor(root) < 16 ? { node: { loaders: [use] } } : { loaders: [use], condition: compiledByTurbopack };
  const rules: Record<string, unknown> = { ...own };
  for (const extension of extensions) {
    const key = `*.${extension}`;
    const before = own[key];
    rules[key] = before === undefined ? rule : [before, rule].flat();
  }
  return rules;
}

/** Of installed packages only what is marked goes through the loader: each file costs a message to another process. */
const compiledByTurbopack = {
  all: [
    "node",
    {
      any: [
        { not: "foreign" },
        { content: /["']use (step|workflow)["']|workflow-serialize|WORKFLOW_SERIALIZE/ },
      ],
    },
  ],
};

/**
 * Whether a server action may stand in a module that has to be awaited, as one does that imports an ES module from outside of the bundles.
 * The React of Next 15 awaits none that Turbopack has built: the action is not found. Next sets TURBOPACK before it reads the configuration.
 */
function awaitsActions(root: string): boolean {
  return nextMajor(root) >= 16 || process.env.TURBOPACK === undefined;
}

function nextMajor(root: string): number {
  try {
    const { version } = createRequire(join(root, "package.json"))("next/package.json") as { version: string };
    return Number.parseInt(version, 10);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
