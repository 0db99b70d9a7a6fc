// Without this, a picture opens by its link. With it, it opens here; a click on it changes between fitting and full size.
const dialog = document.querySelector("dialog");
const shown = dialog.querySelector("img");
document.addEventListener("click", (event) => {
  const link = event.target.closest("figure a");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    shown.src = link.href;
    shown.alt = link.querySelector("img").alt;
    dialog.className = link.querySelector(".pooled") ? "pooled" : "";
    dialog.showModal();
  } else if (event.target === shown) {
    dialog.classList.toggle("full");
  } else if (event.target === dialog) {
    dialog.close();
  }
});
