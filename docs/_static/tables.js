/* On narrow screens a table that does not fit shows each row as a list, cells under their headings. */
function stackTables() {
  document.querySelectorAll(".bd-article table.table").forEach((table) => {
    const headings = [...table.querySelectorAll("thead th")].map((one) => one.textContent.trim());
    if (!headings.length) return;
    table.classList.remove("stacked");
    if (table.scrollWidth <= table.parentElement.clientWidth + 1 || window.innerWidth > 640) return;
    table.querySelectorAll("tbody tr").forEach((row) =>
      [...row.children].forEach((cell, i) => (cell.dataset.heading = headings[i] ?? ""))
    );
    table.classList.add("stacked");
  });
}
document.addEventListener("DOMContentLoaded", stackTables);
window.addEventListener("resize", stackTables);
