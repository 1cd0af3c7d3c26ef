import { defineConfig } from "vite";

// What lets a page share memory with its workers; without it, the page simulates them.
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export default defineConfig({
  // Relative addresses: the page works in any folder of any host.
  base: "./",
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: false },
  worker: { format: "es" },
  server: { host: "127.0.0.1", headers },
  preview: { host: "127.0.0.1", headers },
});
