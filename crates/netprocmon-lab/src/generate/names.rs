//! The domain name system, by hand: a process that asks for a name and connects to the address that
//! it is told, and a name server that says whatever a row is about (RFC 1035).
//!
//! It knows one question and one answer. The lab's honest resolver is another's program; this one is
//! for answers that no honest resolver gives, and for a process that asks by itself.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use super::udp::{Counted, any};
use super::{Account, Event, say, tcp, wait_for_go, wait_for_release};

/// Asks for names, and opens a TCP connection to each address that it is told.
#[derive(Debug, Args)]
pub struct Asker {
    /// The name server; over IPv6 the questions are for IPv6 addresses.
    #[arg(long)]
    server: SocketAddr,
    /// The names, one after the other.
    #[arg(long, required = true)]
    name: Vec<String>,
    /// The port to connect to.
    #[arg(long)]
    port: u16,
    /// Ask over TCP.
    #[arg(long)]
    tcp: bool,
    /// Before each question, and again before each connection, wait until told to go on.
    #[arg(long)]
    wait: bool,
}

/// Answers each question with an address, the first ones under a number that nobody asked under.
#[derive(Debug, Args)]
pub struct NameServer {
    #[arg(long)]
    listen: IpAddr,
    /// The addresses, one an answer; then it ends.
    #[arg(long, required = true)]
    address: Vec<IpAddr>,
    /// How many of the answers have a wrong number.
    #[arg(long, default_value_t = 0)]
    forged: usize,
}

/// A datagram may get lost where all the machine's packets wait (`net.core.netdev_max_backlog`), so
/// who has no answer by then asks again; and the last time is a failure, not a wait for ever.
const PATIENCE: Duration = Duration::from_secs(5);
const TRIES: usize = 4;
const PORT: u16 = 53;
const HEADER: usize = 12;
const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const CLASS_IN: u16 = 1;
const IS_ANSWER: u8 = 0x80;
/// A name that is where the question's is: right behind the header.
const QUESTIONS_NAME: [u8; 2] = [0xc0, 12];
/// What each connection moves.
const UP: u64 = 50_000;
const DOWN: u64 = 20_000;

impl Asker {
    pub(super) fn run(self) -> Result<()> {
        let mut account = Account::of_this_process();
        let (mut asked, mut connected) = (Vec::new(), Vec::new());
        for (id, name) in (1..).zip(&self.name) {
            self.pause()?;
            let question = question(id, name, self.server.is_ipv6())?;
            let (answer, socket) = self.ask(&question, &mut account)?;
            asked.push(socket); // open to the end, so that no closing packets come in between
            self.pause()?;
            let to = SocketAddr::new(address(&answer, self.server.is_ipv6())?, self.port);
            let mut stream = TcpStream::connect(to).with_context(|| format!("connect to {to}"))?;
            let (sent, recv) = tcp::round(&mut stream, UP, DOWN, true, true)?;
            account.sent += sent;
            account.recv += recv;
            connected.push(stream);
        }
        say(&Event::Moved(account))?;
        wait_for_release()
    }

    fn pause(&self) -> Result<()> {
        if self.wait {
            say(&Event::Ready)?;
            wait_for_go()?;
        }
        Ok(())
    }

    fn ask(&self, question: &[u8], account: &mut Account) -> Result<(Vec<u8>, Asked)> {
        if !self.tcp {
            let socket = UdpSocket::bind((any(self.server.ip()), 0)).context("bind")?;
            socket.set_read_timeout(Some(PATIENCE))?;
            let mut answer = vec![0; 65_535];
            let mut heard = Err(io::ErrorKind::TimedOut.into());
            for _ in 0..TRIES {
                account.sent += socket.send_to(question, self.server).context("ask")? as u64;
                heard = socket.recv(&mut answer);
                if heard.is_ok() {
                    break;
                }
            }
            let length = heard.context("hear the answer")?;
            account.recv += length as u64;
            answer.truncate(length);
            return Ok((answer, Asked::Datagram(socket)));
        }
        let mut stream = TcpStream::connect(self.server).context("connect to the server")?;
        let mut message = u16::try_from(question.len())?.to_be_bytes().to_vec();
        message.extend(question);
        stream.write_all(&message).context("ask")?;
        let mut length = [0; 2];
        stream.read_exact(&mut length).context("hear the answer")?;
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut answer).context("hear the answer")?;
        account.sent += message.len() as u64;
        account.recv += (length.len() + answer.len()) as u64;
        Ok((answer, Asked::Stream(stream)))
    }
}

/// What a question went through.
#[allow(dead_code)] // held, to be open
#[derive(Debug)]
enum Asked {
    Datagram(UdpSocket),
    Stream(TcpStream),
}

impl NameServer {
    pub(super) fn run(self) -> Result<()> {
        let mut socket = Counted::bind(self.listen, PORT)?;
        say(&Event::Listening { port: PORT })?;
        let mut buffer = vec![0; 65_535];
        for (n, address) in self.address.iter().enumerate() {
            let (length, from) = socket.recv(&mut buffer)?;
            let answer = answer(&buffer[..length], *address, n < self.forged)?;
            socket.send(&answer, Some(from))?;
        }
        let (account, _open) = socket.into_account();
        say(&Event::Moved(account))?;
        wait_for_release()
    }
}

/// A recursive question for the addresses of a name (RFC 1035 §4.1).
fn question(id: u16, name: &str, for_ipv6: bool) -> Result<Vec<u8>> {
    let mut message = id.to_be_bytes().to_vec();
    message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]); // recursion desired; one question
    for label in name.split('.') {
        ensure!((1..64).contains(&label.len()), "{name:?} is no name");
        message.push(u8::try_from(label.len())?);
        message.extend(label.as_bytes());
    }
    message.push(0);
    let kind = if for_ipv6 { TYPE_AAAA } else { TYPE_A };
    message.extend([kind, CLASS_IN].map(u16::to_be_bytes).concat());
    Ok(message)
}

/// The answer to such a question; a forged one has the number after the one that was asked under.
fn answer(question: &[u8], address: IpAddr, forged: bool) -> Result<Vec<u8>> {
    ensure!(question.len() > HEADER, "a question of too few bytes");
    let mut message = question.to_vec();
    let id = u16::from_be_bytes([message[0], message[1]]);
    message[..2].copy_from_slice(&id.wrapping_add(forged.into()).to_be_bytes());
    message[2] |= IS_ANSWER;
    message[7] = 1; // one record
    let (kind, data) = match address {
        IpAddr::V4(address) => (TYPE_A, address.octets().to_vec()),
        IpAddr::V6(address) => (TYPE_AAAA, address.octets().to_vec()),
    };
    message.extend(QUESTIONS_NAME);
    message.extend([kind, CLASS_IN].map(u16::to_be_bytes).concat());
    message.extend(60_u32.to_be_bytes()); // seconds that it is good for
    message.extend(u16::try_from(data.len())?.to_be_bytes());
    message.extend(data);
    Ok(message)
}

/// The address in the last record. The lab's servers put nothing behind the addresses when they are
/// asked without EDNS.
fn address(answer: &[u8], is_ipv6: bool) -> Result<IpAddr> {
    let records = answer.get(6..8).unwrap_or_default();
    if records == [0, 0] || answer.get(2).is_none_or(|flags| flags & IS_ANSWER == 0) {
        bail!("that is no answer with an address");
    }
    if is_ipv6 {
        let last = answer.last_chunk::<16>().context("too short an answer")?;
        return Ok((*last).into());
    }
    let last = answer.last_chunk::<4>().context("too short an answer")?;
    Ok((*last).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_answered_under_its_number_and_forged_under_another() {
        let question = question(0x01ff, "a.example", false).unwrap();
        assert_eq!(question[12..23], *b"\x01a\x07example\0");
        let told = IpAddr::from([192, 0, 2, 9]);
        let honest = answer(&question, told, false).unwrap();
        assert_eq!(honest[..2], question[..2]);
        assert_eq!(address(&honest, false).unwrap(), told);
        let forged = answer(&question, told, true).unwrap();
        assert_eq!(forged[..2], [2, 0]);
        assert_eq!(forged[2..], honest[2..]);
        assert!(address(&question, false).is_err());
    }
}
