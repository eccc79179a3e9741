//! The bill of a cluster: what it costs, what it would need, what people have to do, and the prices, to be changed.

use crate::session::frame::{Bill, BillTable, PriceLine};
use crate::ui::app::Message;
use crate::ui::dialog::Dialog;
use crate::ui::view::View;
use std::rc::Rc;
use web_sys::HtmlInputElement;
use yew::prelude::*;

#[derive(PartialEq)]
pub struct BillPanel {
    pub name: String,
    /// None until a frame has brought it.
    pub bill: Option<Rc<Bill>>,
    pub send: Callback<Message>,
}

impl View for BillPanel {
    fn view(&self) -> Html {
        let close = self.send.reform(|()| Message::ClosePopup);
        html! {
            <Dialog title={format!("Bill of {}", self.name)} class="bill" on_close={close}>
                if let Some(bill) = &self.bill {
                    { for bill.tables.iter().map(table) }
                    <section>
                        <h3>{ "Prices" }</h3>
                        <div class="scroll"><table class="words">{ for bill.prices.iter().map(|line| self.price(line)) }</table></div>
                        <p class="hint">{ "Another price begins the run anew with it, and the same seed; an empty field takes the sheet's again." }</p>
                    </section>
                }
            </Dialog>
        }
    }
}

impl BillPanel {
    fn price(&self, line: &PriceLine) -> Html {
        let item = line.item.clone();
        let onchange = self.send.reform(move |event: Event| {
            let typed = event.target_unchecked_into::<HtmlInputElement>().value();
            Message::SetPrice(item.clone(), typed)
        });
        html! {
            <tr key={line.item.clone()}>
                <th scope="row">{ line.item.clone() }</th>
                <td><input type="number" min="0" step="any" aria-label={format!("USD, {}", line.item)} value={line.usd.clone()} {onchange} /></td>
                <td>{ format!("USD per {}", line.unit) }</td>
                <td>{ line.origin.clone() }</td>
            </tr>
        }
    }
}

fn table(table: &BillTable) -> Html {
    let row = |cells: &Vec<String>| {
        html! {
            <tr>
                <th scope="row">{ cells.first().cloned() }</th>
                { for cells.iter().skip(1).map(|cell| html! { <td>{ cell.clone() }</td> }) }
            </tr>
        }
    };
    let class = table.head.is_empty().then_some("words");
    html! {
        <section>
            <h3>{ table.title.clone() }</h3>
            <div class="scroll">
                <table {class}>
                    <thead><tr>{ for table.head.iter().map(|cell| html! { <th scope="col">{ cell.clone() }</th> }) }</tr></thead>
                    <tbody>{ for table.rows.iter().map(row) }</tbody>
                </table>
            </div>
            <p>{ table.note.clone() }</p>
            <p class="hint">{ table.assumes.clone() }</p>
        </section>
    }
}
