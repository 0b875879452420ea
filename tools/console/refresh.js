// Replaces the sections that changed. Without this script the page is loaded again every few seconds instead.
"use strict";
(() => {
  const seconds = Number(document.body.dataset.refresh);
  const trouble = document.getElementById("trouble");
  const silent = "The console does not answer. Start it again, and open the address that it prints.";

  // What somebody is reading with the keyboard, or has marked, stays until they leave it.
  const inUse = (part) => {
    const marked = document.getSelection();
    return part.contains(document.activeElement) || (marked && !marked.isCollapsed && part.contains(marked.anchorNode));
  };

  const refresh = async () => {
    try {
      const answer = await fetch("live", { cache: "no-store" });
      if (!answer.ok) throw new Error(`${answer.status}`);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-live]")) {
        const other = fresh.getElementById(part.id);
        if (other && !inUse(part) && other.innerHTML !== part.innerHTML) part.replaceChildren(...other.childNodes);
      }
    } catch {
      if (trouble.textContent !== silent) trouble.textContent = silent;
    }
  };

  const again = async () => {
    if (!document.hidden) await refresh();
    setTimeout(again, seconds * 1000);
  };
  if (seconds > 0) setTimeout(again, seconds * 1000);
})();
