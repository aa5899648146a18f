/** `perdure/astro`: the compiler as an integration of Astro, under the name that the Workflow SDK has for it. */
import { type PluginOptions, type VitePlugin, workflow as vitePlugins } from "./vite.ts";

export type { PluginOptions, VitePlugin };

/** What is used of an Astro integration. Its types must hold where Astro is not installed. */
export interface AstroIntegration {
  readonly name: string;
  readonly hooks: {
    readonly "astro:config:setup": (setup: {
      readonly updateConfig: (config: { vite: { plugins: VitePlugin[] } }) => unknown;
    }) => void;
  };
}

/**
 * Compiles directives in the server of an Astro project.
 *
 * @example
 * ```ts
 * import { workflow } from "perdure/astro";
 *
 * export default { output: "server", integrations: [workflow()] };
 * ```
 */
export function workflow(options?: PluginOptions): AstroIntegration {
  return {
    name: "perdure",
    hooks: {
      "astro:config:setup": ({ updateConfig }) => {
        updateConfig({ vite: { plugins: vitePlugins(options) } });
      },
    },
  };
}
