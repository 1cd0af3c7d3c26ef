import { defineConfig } from "vite";

export default defineConfig({
  // Relative addresses: the page works in any folder of any host.
  base: "./",
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: false },
  server: { host: "127.0.0.1" },
  preview: { host: "127.0.0.1" },
});
